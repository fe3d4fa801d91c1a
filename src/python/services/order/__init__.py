"""Orders: placed, carried through the saga, ended confirmed or cancelled."""

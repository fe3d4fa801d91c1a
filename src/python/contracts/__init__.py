"""All that crosses a service's border, and nothing else: events, money and the topology they travel on."""

"""Payments: held when an order is placed, taken when it is confirmed, given back when it is cancelled."""

"""Notifications: what customers are told, in a list of their own and by mail."""

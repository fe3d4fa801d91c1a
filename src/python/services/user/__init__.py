"""Accounts: who somebody is, how they sign in, and where their orders go."""

"""Keeps contracts: publishes what services promise each other, and judges every change of it."""

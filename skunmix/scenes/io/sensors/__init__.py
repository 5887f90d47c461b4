"""Readers of sensors' products, one per module, which are recognised by what the files hold."""

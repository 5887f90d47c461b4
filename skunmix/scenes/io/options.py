"""Options of readers, also as text from a command line."""

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def take_flag(options, name, default):
    """Remove an option that is true or false, and return it."""
    value = options.pop(name, default)
    found = _BOOLEANS.get(str(value).lower())
    if found is None:
        raise ValueError(f"Expected {name} to be True or False, got {value!r}; correct it.")
    return found


def take_choice(options, name, choices, default):
    """Remove an option that is one of several whole numbers or names, and return it."""
    value = options.pop(name, default)
    found = {str(choice).lower(): choice for choice in choices}.get(str(value).lower())
    if found is None:
        raise ValueError(
            f"Expected {name} to be one of {', '.join(map(str, choices))}, got {value!r}; choose "
            f"one of them."
        )
    return found

"""Checks that several rooms make in the same words."""


def check_same_bands(spectra, endmembers):
    """Check that spectra and endmembers have as many bands as each other.

    Parameters
    ----------
    spectra : array of shape (n_pixels, n_bands)
    endmembers : array of shape (n_endmembers, n_bands)

    Raises
    ------
    ValueError
        If they do not.
    """
    if spectra.shape[1] != endmembers.shape[1]:
        raise ValueError(
            f"spectra and endmembers must have the same number of bands, but the shapes are "
            f"{spectra.shape} and {endmembers.shape}; both hold one spectrum a row."
        )

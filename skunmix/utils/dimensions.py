"""The dimensions of a DataArray that are the rows and the columns of an image."""

# Names of dimensions, in lower case, used if neither axis nor standard_name is given.
_ROWS = {"y", "yc", "lat", "latitude", "northing", "row", "rows", "line", "lines", "downtrack"}
_COLUMNS = {
    "x",
    "xc",
    "lon",
    "longitude",
    "easting",
    "col",
    "cols",
    "column",
    "columns",
    "sample",
    "samples",
    "crosstrack",
}
_ROW_NAMES = {"projection_y_coordinate", "latitude", "grid_latitude"}
_COLUMN_NAMES = {"projection_x_coordinate", "longitude", "grid_longitude"}


def rows_and_columns(array, band_dim):
    """Return the dimensions of the rows and of the columns, which are those other than the bands.

    If nothing identifies them, they are in the order of the array.
    """
    first, second = (dim for dim in array.dims if dim != band_dim)
    kinds = axis_kind(array, first), axis_kind(array, second)
    if kinds in (("column", "row"), ("column", None), (None, "row")):
        return second, first
    return first, second


def axis_kind(array, dim):
    """Return "row", "column" or None, by the attributes of the coordinate, then by its name."""
    attributes = array.coords[dim].attrs if dim in array.coords else {}
    for clue, row, column in (
        (attributes.get("axis"), {"Y"}, {"X"}),
        (attributes.get("standard_name"), _ROW_NAMES, _COLUMN_NAMES),
        (str(dim).lower(), _ROWS, _COLUMNS),
    ):
        if clue in row or clue in column:
            return "row" if clue in row else "column"
    return None

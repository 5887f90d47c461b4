"""Which dimensions of a DataArray are the rows and the columns of an image."""

# Names of dimensions, in lower case, where neither axis nor standard_name tell.
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
    """Return the two dimensions other than the bands', that of the rows first.

    They are in the order of the array where nothing tells which is which.
    """
    first, second = (dim for dim in array.dims if dim != band_dim)
    kinds = axis_kind(array, first), axis_kind(array, second)
    if kinds in (("column", "row"), ("column", None), (None, "row")):
        return second, first
    return first, second


def axis_kind(array, dim):
    """Return "row", "column" or None, by what the coordinate says, then by the dimension's name."""
    attributes = array.coords[dim].attrs if dim in array.coords else {}
    for clue, row, column in (
        (attributes.get("axis"), {"Y"}, {"X"}),
        (attributes.get("standard_name"), _ROW_NAMES, _COLUMN_NAMES),
        (str(dim).lower(), _ROWS, _COLUMNS),
    ):
        if clue in row or clue in column:
            return "row" if clue in row else "column"
    return None

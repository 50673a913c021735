"""Views, copies and joins: elements move, nothing is computed."""

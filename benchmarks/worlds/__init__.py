"""Maps of the family of worlds: where a claim holds, cell by cell (docs/worlds.md)."""

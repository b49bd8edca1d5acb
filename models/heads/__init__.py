"""The recurrent mining head."""

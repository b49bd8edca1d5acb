"""The model of FMMP: detector, neck, recurrent mining head, their layers and the compiled op."""

"""Export: a model as networks that run without FMMP, and without PyTorch."""

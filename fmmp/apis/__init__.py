"""The public interface: training, testing, inference. Importing it registers our classes."""

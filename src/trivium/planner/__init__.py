"""Will it fit, how long will it take, what will it cost: a forecast from the configuration alone."""

"""Sources of data sets, one file each; a file in conf/dataset names one with its `_target_`."""

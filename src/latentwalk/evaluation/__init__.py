"""Quality and smoothness of generated images: functions of arrays, with error bars."""

"""How good and how smooth the generated images are: functions of arrays, with error bars."""

"""False alarms of the drift test, and the delay of right ones."""

"""The only users of smbus2, gpiozero, gpiod and sdnotify."""

"""Methods that ALIGN-Parts is compared with, and ALIGN-Parts itself behind their interface."""

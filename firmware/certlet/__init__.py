"""certlet: certificate enrolment for microcontrollers.

Import the module that you need, `certlet.agent` first of all; nothing is loaded
before it is used.
"""

__version__ = "0.1.0"

#!/usr/bin/python3
"""A server that a library in C++ starts (plugin.cpp), in a process with another libtango."""

import ctypes
import os
import sys

ctypes.CDLL(os.environ["SECOND_LIBTANGO"])
plugin = ctypes.CDLL(os.environ["PLUGIN"])
plugin.plugin_init.restype = ctypes.c_void_p
arguments = [os.fsencode(argument) for argument in ["plugged", *sys.argv[1:]]]
util = plugin.plugin_init(len(arguments), (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None))
plugin.plugin_start(ctypes.c_void_p(util))
print("Ready to accept request", flush=True)
plugin.plugin_run(ctypes.c_void_p(util))

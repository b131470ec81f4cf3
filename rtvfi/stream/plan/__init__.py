"""Decides which picture is shown when, without looking at pixels."""

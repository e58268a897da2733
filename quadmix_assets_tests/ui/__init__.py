"""The UI as people use it: flows of clicks in a real browser, on the real webserver and daemon."""

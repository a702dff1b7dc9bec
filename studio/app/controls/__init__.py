"""The sidebar: family and preset pickers, a widget per knob, history, and keyboard shortcuts."""

"""The tabs of Explore: Scaling, Layers, Memory, Code, Report, Lesson."""

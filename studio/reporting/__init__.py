"""The report on one design, in five sections: `sections.report` builds it as a `document.Report`,
`markdown` and `html` render that."""

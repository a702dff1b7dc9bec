// Marks on the scaling charts at a landing: { x, panels }, the place on the axis and the values of
// each panel, as studio/workbench/jobs/value_tables.py writes them. They lie over the charts, whose
// drawing belongs to plotly.

const CHART = '.st-key-chart .js-plotly-plot';

class ChartMarks {
  clear() {
    document.querySelector(`${CHART} .preview-marks`)?.remove();
  }

  show(marks) {
    this.clear();
    const chart = document.querySelector(CHART);
    if (!marks || !chart?._fullLayout) return;
    const layer = document.createElement('div');
    layer.className = 'preview-marks';
    layer.setAttribute('aria-hidden', 'true');
    marks.panels.forEach((values, i) => {
      const axes = ['xaxis', 'yaxis'].map((name) => chart._fullLayout[i ? `${name}${i + 1}` : name]);
      for (const value of values) {
        const at = value > 0 && this.place(axes, [marks.x, value]);
        if (at) layer.append(this.dot(at));
      }
    });
    chart.append(layer);
  }

  place(axes, values) {
    // In pixels; null where a value lies outside of its axis.
    const found = axes.map((axis, i) => {
      const along = axis?.d2p?.(values[i]);
      return along >= -1 && along <= axis._length + 1 ? axis._offset + along : NaN;
    });
    return found.every(Number.isFinite) ? found : null;
  }

  dot([left, top]) {
    const dot = document.createElement('i');
    Object.assign(dot.style, { left: `${left}px`, top: `${top}px` });
    return dot;
  }
}

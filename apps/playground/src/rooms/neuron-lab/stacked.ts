const SVG = 'http://www.w3.org/2000/svg';

/** Plots of one width in one drawing, below each other, so that they are saved as one. */
export function stacked(plots: readonly (SVGSVGElement | HTMLElement)[]): SVGSVGElement {
  const whole = document.createElementNS(SVG, 'svg');
  let top = 0;
  for (const plot of plots) {
    const [width, height] = ['width', 'height'].map((name) => Number(plot.getAttribute(name)));
    plot.setAttribute('y', String(top));
    // A plot says `height: auto` in its own style, which means all of the outer drawing here.
    Object.assign(plot.style, { width: `${width}px`, height: `${height}px` });
    // A drawing inside another feels the pointer only where something is drawn.
    const ground = document.createElementNS(SVG, 'rect');
    for (const [name, value] of Object.entries({ width, height, fill: 'none', 'pointer-events': 'all' })) {
      ground.setAttribute(name, String(value));
    }
    plot.prepend(ground);
    whole.append(plot);
    top += height;
    whole.setAttribute('width', String(width));
    whole.setAttribute('viewBox', `0 0 ${width} ${top}`);
  }
  whole.setAttribute('height', String(top));
  return whole;
}

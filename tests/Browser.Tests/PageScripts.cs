namespace Distributed.Browser.Tests;

internal static class PageScripts
{
    /// <summary>Relative luminance and contrast as WCAG 2 defines them; <c>faint(least)</c> lists the texts with less.</summary>
    public const string Colours = """
        const parse = text => { const n = text.match(/[\d.]+/g).map(Number); return text.startsWith('color(srgb') ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1]; };
        const luminance = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
        const ground = element => { const own = parse(getComputedStyle(element).backgroundColor); return own[3] === 1 ? own : over(own, element.parentElement ? ground(element.parentElement) : [255, 255, 255, 1]); };
        const faint = least => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const found = [];
          while (walker.nextNode()) {
            const element = walker.currentNode.parentElement;
            if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('title')) continue;
            const style = getComputedStyle(element), under = ground(element);
            const ink = over(parse(element.closest('svg') ? style.fill : style.color), under);
            const [a, b] = [luminance(ink), luminance(under)].sort((x, y) => y - x);
            const contrast = (a + 0.05) / (b + 0.05);
            if (contrast < least) found.push(`${contrast.toFixed(2)} ${element.tagName}.${element.getAttribute('class')} ${walker.currentNode.data.trim().slice(0, 30)}`);
          }
          return found;
        };
        """;
}

using System.Globalization;
using System.Security;
using System.Text;
using Distributed.Catalog;

namespace Distributed.Registry;

/// <summary>Draws a comparison of bases: accuracy with its interval, by images a second on a logarithmic axis. The picture is an SVG file that needs nothing else.</summary>
public static class ComparisonPicture
{
    private const double Width = 760,
        Height = 420,
        Left = 64,
        Right = 640,
        Top = 24,
        Bottom = 360;

    /// <summary>Draws one.</summary>
    /// <param name="ranked">The bases; those that were left out are not drawn.</param>
    /// <param name="images">Images of the sample.</param>
    /// <returns>UTF-8 text.</returns>
    public static byte[] Draw(IReadOnlyList<RankedBase> ranked, int images)
    {
        ArgumentNullException.ThrowIfNull(ranked);
        List<(ComparedBase Base, bool IsChosen)> shown =
        [
            .. ranked.Where(one => one.Base.Accuracy is not null).Select(one => (one.Base, one.IsChosen)),
        ];
        var accuracy = Axis(
            shown.Select(one => one.Base.AccuracyLow!.Value).DefaultIfEmpty(0).Min(),
            shown.Select(one => one.Base.AccuracyHigh!.Value).DefaultIfEmpty(1).Max(),
            step: 0.05
        );
        var speed = Axis(
            shown.Select(one => Math.Log10(one.Base.ImagesPerSecond!.Value)).DefaultIfEmpty(0).Min(),
            shown.Select(one => Math.Log10(one.Base.ImagesPerSecond!.Value)).DefaultIfEmpty(1).Max(),
            step: 1
        );
        var svg = new StringBuilder();
        Add(
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" role="img" aria-label="Accuracy of {shown.Count} bases by images a second">
            <style>
            text {"{"} font: 13px system-ui, sans-serif; fill: #333 {"}"}
            .grid {"{"} stroke: #ccc {"}"} .bar {"{"} stroke: #789; stroke-width: 2 {"}"} circle {"{"} fill: #789 {"}"}
            .chosen {"{"} stroke: #06c {"}"} circle.chosen {"{"} fill: #06c {"}"} text.chosen {"{"} font-weight: 600 {"}"}
            @media (prefers-color-scheme: dark) {"{"} text {"{"} fill: #ddd {"}"} .grid {"{"} stroke: #444 {"}"} .chosen {"{"} stroke: #6af {"}"} circle.chosen {"{"} fill: #6af {"}"} {"}"}
            </style>
            """
        );
        for (var value = accuracy.Low; value <= accuracy.High + 1e-9; value += accuracy.Step)
        {
            var y = Y(value);
            Add(
                $"""<path class="grid" d="M{Left} {y:0.#}H{Right}"/><text x="{Left - 8}" y="{y + 4:0.#}" text-anchor="end">{100 * value:0} %</text>"""
            );
        }

        for (var power = speed.Low; power <= speed.High + 1e-9; power++)
        {
            var x = X(power);
            Add(
                $"""<path class="grid" d="M{x:0.#} {Top}V{Bottom}"/><text x="{x:0.#}" y="{Bottom + 20}" text-anchor="middle">{Math.Pow(10, power):0.###}</text>"""
            );
        }

        foreach (var (one, isChosen) in shown)
        {
            var (x, y, mark) = (X(Math.Log10(one.ImagesPerSecond!.Value)), Y(one.Accuracy!.Value), isChosen ? " chosen" : "");
            Add(
                $"""<path class="bar{mark}" d="M{x:0.#} {Y(one.AccuracyLow!.Value):0.#}V{Y(one.AccuracyHigh!.Value):0.#}"/><circle class="{mark.Trim()}" cx="{x:0.#}" cy="{y:0.#}" r="5"/><text class="{mark.Trim()}" x="{x + 9:0.#}" y="{y + 4:0.#}">{SecurityElement.Escape(one.Backbone)}</text>"""
            );
        }

        Add(
            $"""
            <text x="{(Left + Right) / 2}" y="{Bottom + 42}" text-anchor="middle">images a second</text>
            <text x="{Left}" y="{Top - 8}">accuracy in cross-validation of {images:N0} training images, with 95 % intervals</text>
            </svg>
            """
        );
        return Encoding.UTF8.GetBytes(svg.ToString());

        void Add(FormattableString text) => svg.Append(text.ToString(CultureInfo.InvariantCulture)).Append('\n');

        double X(double power) => Left + ((power - speed.Low) / (speed.High - speed.Low) * (Right - Left));

        double Y(double value) => Bottom - ((value - accuracy.Low) / (accuracy.High - accuracy.Low) * (Bottom - Top));
    }

    /// <summary>An axis that begins and ends at a step.</summary>
    private static (double Low, double High, double Step) Axis(double low, double high, double step)
    {
        var (first, last) = (Math.Floor((low / step) + 1e-9), Math.Ceiling((high / step) - 1e-9));
        return (first * step, Math.Max(last, first + 1) * step, step);
    }
}

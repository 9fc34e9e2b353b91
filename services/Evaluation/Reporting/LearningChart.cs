using System.Globalization;
using System.Text;

namespace Distributed.Evaluation.Reporting;

/// <summary>One figure over the epochs, drawn as SVG.</summary>
internal static class LearningChart
{
    private const double Width = 460;
    private const double Height = 270;
    private const double Left = 54;
    private const double Right = 446;
    private const double Top = 26;
    private const double Bottom = 226;

    // More points than this fall on the same pixels.
    private const int MostPoints = 400;
    private const int MostDots = 60;

    public static void Write(HtmlBuilder html, ReportModel model, bool isAccuracy)
    {
        var train = Series(model.Epochs, epoch => isAccuracy ? epoch.TrainAccuracy : epoch.TrainLoss);
        var validation = Series(model.Epochs, epoch => isAccuracy ? epoch.ValidationAccuracy : epoch.ValidationLoss);
        var finite = train.Concat(validation).Where(point => double.IsFinite(point.Value)).Select(point => point.Value).ToList();
        var scale = Scale(finite, isAccuracy);
        var epochs = new EpochAxis(model.Epochs[0].Epoch, model.Epochs[^1].Epoch);
        var name = isAccuracy ? "Accuracy" : "Loss";
        var step = model.Epochs[0].Penalty is null ? "epoch" : "penalty";

        html.Add(
            $"""
            <figure class="chart">
            <figcaption>{name} <span class="fine">{(isAccuracy ? "share classified rightly" : "mean cross-entropy")}</span></figcaption>
            <svg viewBox="0 0 {Width} {Height}" role="img" aria-label="{Describe(
                name,
                step,
                isAccuracy,
                train,
                validation,
                model.BestEpoch
            )}">
            """
        );
        WriteAxes(html, scale, epochs, isAccuracy, step == "epoch" ? step : "penalty, from the strongest on");
        WriteBest(html, model, epochs);
        WriteSeries(html, "train", "Training", train, scale, epochs, step, isAccuracy);
        WriteSeries(html, "validation", "Validation", validation, scale, epochs, step, isAccuracy);
        html.Add($"</svg></figure>");
    }

    private static ChartScale Scale(List<double> values, bool isAccuracy)
    {
        if (values.Count == 0)
        {
            return ChartScale.Cover(0, 1, 5);
        }

        var (least, greatest) = (values.Min(), values.Max());
        if (!isAccuracy)
        {
            return ChartScale.Cover(Math.Min(0, least), greatest, 5);
        }

        // A narrower range would make noise look like progress.
        var room = Math.Max(0, 0.1 - (greatest - least)) / 2;
        return ChartScale.Cover(Math.Clamp(least - room, 0, 1), Math.Clamp(greatest + room, 0, 1), 5);
    }

    private static void WriteAxes(HtmlBuilder html, ChartScale scale, EpochAxis epochs, bool isAccuracy, string step)
    {
        foreach (var tick in scale.Ticks)
        {
            var y = Y(scale, tick);
            html.Add(
                $"""<path class="grid" d="M{Left} {y:0.##}H{Right}"/><text class="tick" x="{Left - 8}" y="{y + 4:0.##}" text-anchor="end">{Label(scale, tick, isAccuracy)}</text>"""
            );
        }

        html.Add($"""<path class="axis" d="M{Left} {Bottom}H{Right}"/>""");
        foreach (var tick in ChartScale.EpochTicks(epochs.First, epochs.Last, 6))
        {
            html.Add(
                $"""<path class="axis" d="M{epochs.X(tick):0.##} {Bottom}v5"/><text class="tick" x="{epochs.X(tick):0.##}" y="{Bottom + 19}" text-anchor="middle">{tick}</text>"""
            );
        }

        html.Add($"""<text class="tick" x="{(Left + Right) / 2}" y="{Height - 6}" text-anchor="middle">{step}</text>""");
    }

    private static void WriteBest(HtmlBuilder html, ReportModel model, EpochAxis epochs)
    {
        if (model.BestEpoch is not { } best || best < epochs.First || best > epochs.Last)
        {
            return;
        }

        var x = epochs.X(best);
        var anchor =
            x < Left + 50 ? "start"
            : x > Right - 50 ? "end"
            : "middle";
        html.Add(
            $"""<path class="best" d="M{x:0.##} {Top}V{Bottom}"/><text class="mark" x="{x:0.##}" y="{Top - 9}" text-anchor="{anchor}">best: {best}</text>"""
        );
    }

    private static void WriteSeries(
        HtmlBuilder html,
        string kind,
        string title,
        List<Point> points,
        ChartScale scale,
        EpochAxis epochs,
        string step,
        bool isAccuracy
    )
    {
        var path = new StringBuilder();
        var drawn = false;
        foreach (var point in Thin(points))
        {
            if (!double.IsFinite(point.Value))
            {
                drawn = false;
                continue;
            }

            path.Append(CultureInfo.InvariantCulture, $"{(drawn ? 'L' : 'M')}{epochs.X(point.Epoch):0.##} {Y(scale, point.Value):0.##}");
            drawn = true;
        }

        if (path.Length == 0)
        {
            return;
        }

        html.Add($"""<path class="line {kind}" d="{path.ToString()}"/>""");
        if (points.Count > MostDots)
        {
            return;
        }

        // Few points are easier to see as dots; of many, the dot only shows under the pointer, with its figure.
        var size = points.Count <= 15 ? "dot" : "dot faint";
        foreach (var point in points.Where(point => double.IsFinite(point.Value)))
        {
            html.Add(
                $"""<circle class="{size} {kind}" cx="{epochs.X(point.Epoch):0.##}" cy="{Y(scale, point.Value):0.##}" r="3.5"><title>{title}, {step} {point.Epoch}: {Value(point.Value, isAccuracy)}</title></circle>"""
            );
        }
    }

    /// <summary>The least and the greatest of each stretch of epochs, in order, so that no spike is lost.</summary>
    private static IEnumerable<Point> Thin(List<Point> points)
    {
        if (points.Count <= MostPoints * 2)
        {
            return points;
        }

        return points
            .Select((point, index) => (point, bucket: (long)index * MostPoints / points.Count))
            .GroupBy(pair => pair.bucket, pair => pair.point)
            .SelectMany(bucket =>
                new[] { bucket.MinBy(point => point.Value)!, bucket.MaxBy(point => point.Value)! }.Distinct().OrderBy(point => point.Epoch)
            );
    }

    private static List<Point> Series(IReadOnlyList<ReportEpoch> epochs, Func<ReportEpoch, double?> value) =>
        [
            .. epochs
                .Select(epoch => (epoch.Epoch, value: value(epoch)))
                .Where(pair => pair.value is not null)
                .Select(pair => new Point(pair.Epoch, pair.value!.Value)),
        ];

    private static string Describe(string name, string step, bool isAccuracy, List<Point> train, List<Point> validation, int? best)
    {
        var text = new StringBuilder($"{name} by {step}.");
        foreach (var (title, points) in new[] { ("Training", train), ("Validation", validation) })
        {
            if (points.Count > 0)
            {
                text.Append(
                    CultureInfo.InvariantCulture,
                    $" {title}: from {Value(points[0].Value, isAccuracy)} to {Value(points[^1].Value, isAccuracy)}."
                );
            }
        }

        return best is null ? text.ToString() : text.Append(CultureInfo.InvariantCulture, $" Best {step}: {best}.").ToString();
    }

    private static string Value(double value, bool isAccuracy) => isAccuracy ? Figures.Percent(value) : Figures.Loss(value);

    private static string Label(ChartScale scale, double tick, bool isAccuracy)
    {
        if (isAccuracy)
        {
            return Figures.Fixed(tick * 100, Math.Max(0, scale.Decimals - 2)) + "\u00A0%";
        }

        return Math.Abs(tick) >= 10_000 ? tick.ToString("0.##e0", CultureInfo.InvariantCulture) : Figures.Fixed(tick, scale.Decimals);
    }

    private static double Y(ChartScale scale, double value) => Bottom - (scale.Position(value) * (Bottom - Top));

    private sealed record Point(int Epoch, double Value);

    private sealed record EpochAxis(int First, int Last)
    {
        public double X(int epoch) =>
            First == Last ? (Left + Right) / 2 : Left + 6 + ((epoch - First) / (double)(Last - First) * (Right - Left - 12));
    }
}

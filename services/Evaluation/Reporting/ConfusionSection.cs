namespace Distributed.Evaluation.Reporting;

/// <summary>Which classes are taken for which.</summary>
internal static class ConfusionSection
{
    /// <summary>With more classes the matrix is larger than any screen, and the pairs that matter are listed instead.</summary>
    private const int MostClasses = 30;

    private sealed record Confusion(int True, int Predicted, int Count, double Share);

    public static void Write(HtmlBuilder html, ReportModel model)
    {
        var matrix = model.Evaluation.ConfusionMatrix;
        var isSmall = matrix.Length <= MostClasses;
        html.Add(
            $"""
            <section aria-labelledby="confusion">
            <h2 id="confusion">Confusions</h2>
            <div class="{(isSmall ? "beside" : "alone")}">
            """
        );
        if (isSmall)
        {
            WriteMatrix(html, model);
        }

        var confusions = Confusions(matrix);
        WriteMost(html, model, [.. confusions.Take(isSmall ? 8 : 30)], confusions.Count, isSmall);
        html.Add($"</div></section>");
    }

    private static void WriteMatrix(HtmlBuilder html, ReportModel model)
    {
        var matrix = model.Evaluation.ConfusionMatrix;
        html.Add(
            $"""
            <figure class="matrix">
            <figcaption id="matrix-caption">Confusion matrix: test images by true class (rows) and predicted class (columns). The stronger the colour, the larger the share of the row; the diagonal is right.</figcaption>
            <div class="scroll" role="region" tabindex="0" aria-labelledby="matrix-caption">
            <table id="matrix"{new Markup(matrix.Length > 20 ? " class=\"dense\"" : "")}>
            <thead><tr><th scope="col" class="corner">true \ predicted</th>
            """
        );
        for (var column = 0; column < matrix.Length; column++)
        {
            html.Add($"""<th scope="col" class="upright"><bdi title="{model.Class(column)}">{model.Class(column)}</bdi></th>""");
        }

        html.Add($"</tr></thead><tbody>");
        for (var row = 0; row < matrix.Length; row++)
        {
            var total = matrix[row].Sum(count => (long)count);
            html.Add($"""<tr><th scope="row"><bdi title="{model.Class(row)}">{model.Class(row)}</bdi></th>""");
            for (var column = 0; column < matrix.Length; column++)
            {
                WriteCell(html, model, row, column, total);
            }

            html.Add($"</tr>");
        }

        html.Add($"</tbody></table></div></figure>");
    }

    private static void WriteCell(HtmlBuilder html, ReportModel model, int row, int column, long total)
    {
        var count = model.Evaluation.ConfusionMatrix[row][column];
        if (count == 0)
        {
            html.Add($"""<td class="none">0</td>""");
            return;
        }

        var share = count / (double)total;
        // A root, so that a handful of mistakes does not look like none.
        html.Add(
            $"""<td{new Markup(row == column ? " class=\"right\"" : "")} style="--v:{Math.Sqrt(share):0.###}" title="{model.Class(row)} → {model.Class(column)}: {Figures.Count(count)} of {Figures.Count(total)} ({Figures.Percent(share)})">{count}</td>"""
        );
    }

    private static void WriteMost(HtmlBuilder html, ReportModel model, List<Confusion> most, int all, bool isSmall)
    {
        html.Add($"<div>");
        if (!isSmall)
        {
            html.Add(
                $"""<p>With {Figures.Count(model.Dataset.ClassNames.Count)} classes a full matrix would be too large to read; these are its largest entries off the diagonal.</p>"""
            );
        }

        html.Add($"""<h3>Most frequent confusions</h3>""");
        if (most.Count == 0)
        {
            html.Add($"""<p class="empty">None: every test image was classified rightly.</p></div>""");
            return;
        }

        html.Add(
            $"""
            <div class="scroll" role="region" tabindex="0" aria-label="Most frequent confusions">
            <table class="numbers" id="confusions">
            <thead><tr><th scope="col">True</th><th scope="col">taken for</th><th scope="col">Images</th><th scope="col">of the class</th></tr></thead>
            <tbody>
            """
        );
        foreach (var confusion in most)
        {
            html.Add(
                $"""<tr><th scope="row"><bdi>{model.Class(confusion.True)}</bdi></th><td class="text"><bdi>{model.Class(confusion.Predicted)}</bdi></td><td>{Figures.Count(confusion.Count)}</td><td>{Figures.Percent(confusion.Share)}</td></tr>"""
            );
        }

        html.Add($"</tbody></table></div>");
        if (all > most.Count)
        {
            html.Add(
                $"""<p class="fine">{Figures.Count(most.Count)} of {Figures.Count(all)} pairs of classes that were confused at all.</p>"""
            );
        }

        html.Add($"</div>");
    }

    private static List<Confusion> Confusions(int[][] matrix)
    {
        var found = new List<Confusion>();
        for (var row = 0; row < matrix.Length; row++)
        {
            var total = matrix[row].Sum(count => (double)count);
            for (var column = 0; column < matrix.Length; column++)
            {
                if (row != column && matrix[row][column] > 0)
                {
                    found.Add(new Confusion(row, column, matrix[row][column], matrix[row][column] / total));
                }
            }
        }

        return
        [
            .. found
                .OrderByDescending(confusion => confusion.Count)
                .ThenByDescending(confusion => confusion.Share)
                .ThenBy(confusion => confusion.True)
                .ThenBy(confusion => confusion.Predicted),
        ];
    }
}

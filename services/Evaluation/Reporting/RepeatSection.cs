namespace Distributed.Evaluation.Reporting;

/// <summary>How to make the run again.</summary>
internal static class RepeatSection
{
    public static void Write(HtmlBuilder html, ReportModel model)
    {
        var repeat = model.Repeat;
        html.Add(
            $"""
            <section aria-labelledby="repeat">
            <h2 id="repeat">Repeat this run</h2>
            <p class="fine">The same specification and seeds over the same data give the same result on the same kind of machine. A click selects the whole command.</p>
            <pre class="scroll command" tabindex="0" role="region" aria-label="Command line"><code>{repeat.CommandLine}</code></pre>
            <div class="beside">
            """
        );
        WriteTable(html, "Environment", "environment", repeat.Environment);
        WriteTable(html, "Seeds", "seeds", repeat.Seeds);
        html.Add(
            $"""
            </div>
            <details>
            <summary>The full specification (JSON)</summary>
            <pre class="scroll" tabindex="0" role="region" aria-label="Specification"><code id="specification">{repeat.SpecificationJson}</code></pre>
            </details>
            </section>
            """
        );
    }

    private static void WriteTable(HtmlBuilder html, string title, string id, IReadOnlyList<ReportEntry> entries)
    {
        if (entries.Count == 0)
        {
            return;
        }

        html.Add($"""<div><h3>{title}</h3><table id="{id}"><tbody>""");
        foreach (var entry in entries)
        {
            html.Add($"""<tr><th scope="row">{entry.Name}</th><td>{entry.Value}</td></tr>""");
        }

        html.Add($"</tbody></table></div>");
    }
}

using System.Text;

namespace Distributed.Contracts.Tests;

public sealed class SettingsTableTests
{
    private const string Begin = "<!-- Begin: made from the descriptions of the settings, by a test -->\n";
    private const string End = "<!-- End -->";

    [Fact]
    public void The_table_of_settings_in_the_docs_is_what_their_descriptions_say()
    {
        var path = GoldenFile.PathOf("docs/api.md");
        var page = File.ReadAllText(path);
        var begin = page.IndexOf(Begin, StringComparison.Ordinal);
        Assert.True(begin >= 0, $"{path} has no place for the table: {Begin}");
        begin += Begin.Length;
        var expected = page[..begin] + Table() + page[page.IndexOf(End, begin, StringComparison.Ordinal)..];
        if (GoldenFile.IsWritten)
        {
            File.WriteAllText(path, page = expected);
        }

        Assert.True(page == expected, $"The table of settings in {path} is not what the code says. {GoldenFile.Remedy}");
    }

    private static string Table()
    {
        var table = new StringBuilder("| field, option | default | what it is | allowed | since |\n|---|---|---|---|---|\n");
        foreach (var setting in RunSettings.All)
        {
            var usual = string.IsNullOrEmpty(setting.Default) ? "none" : setting.Default;
            table.Append(
                $"| `{setting.Field}` `{setting.Option}` | {usual} | {setting.Help}. {setting.Details} | {setting.Allowed} | {setting.Since} |\n".Replace(
                    "  ",
                    " ",
                    StringComparison.Ordinal
                )
            );
        }

        return table.ToString();
    }
}

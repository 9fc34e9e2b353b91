namespace Distributed.Browser.Tests;

/// <summary>Finds the browser that the tests drive.</summary>
internal static class Chromium
{
    private const string Variable = "DISTRIBUTED_TEST_CHROMIUM";

    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome"];

    /// <summary>Where its program is.</summary>
    public static string Path
    {
        get
        {
            var named = Environment.GetEnvironmentVariable(Variable);
            if (!string.IsNullOrWhiteSpace(named))
            {
                return File.Exists(named) ? named : throw new FileNotFoundException($"{Variable} names '{named}', which does not exist.", named);
            }

            var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
            return folders
                .SelectMany(folder => Names.Select(name => System.IO.Path.Combine(folder, name)))
                .FirstOrDefault(File.Exists)
                ?? throw new FileNotFoundException($"These tests need Chromium. Install it ('apt-get install chromium' on Debian), or let {Variable} name the program of a Chromium or Chrome.");
        }
    }
}

using System.Text;

namespace Distributed.Storage;

/// <summary>Text from files as it may stand in messages, reports and the catalog.</summary>
public static class SafeText
{
    /// <summary>Longest message of an error about somebody's file, in UTF-16 code units.</summary>
    public const int LongestMessage = 4000;

    /// <summary>Whether a text has nothing in it that databases and pages refuse: control characters, or halves of a surrogate pair.</summary>
    public static bool IsPlain(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.IsControl(rune) || rune == Rune.ReplacementChar)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>At most about so many characters, with question marks for control characters.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">Length in UTF-16 code units after which it is cut off.</param>
    public static string Shorten(string text, int most)
    {
        ArgumentNullException.ThrowIfNull(text);
        var shown = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (shown.Length >= most)
            {
                return shown.Append('…').ToString();
            }

            shown.Append(Rune.IsControl(rune) ? "?" : rune.ToString());
        }

        return shown.ToString();
    }
}

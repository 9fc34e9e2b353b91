using Distributed.Contracts;
using Microsoft.AspNetCore.Http;

namespace Distributed.ServiceDefaults;

/// <summary>Where a host listens, checked before it begins: what no address is, Kestrel takes for a name, or ends with a trace for.</summary>
public static class ListenAddresses
{
    private const int LastPort = 65_535;

    /// <summary>Whether a text is an address to listen on, such as <c>http://127.0.0.1:8080</c> or <c>http://+:80</c>.</summary>
    /// <param name="text">One address.</param>
    public static bool IsAddress(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        try
        {
            var address = BindingAddress.Parse(text);
            // A port that is no number is taken for a part of the name.
            return address.Scheme is "http" or "https" && address.Port is >= 0 and <= LastPort && (address.Host.StartsWith('[') || !address.Host.Contains(':', StringComparison.Ordinal));
        }
        catch (FormatException)
        {
            return false;
        }
    }

    /// <summary>What is wrong with addresses that stand in a setting; null when nothing is.</summary>
    internal static string? FindError(string text) => Split(text).All(IsAddress) ? null : $"is {SettingText.Quote(text)}";

    /// <summary>What is wrong with ports that stand in a setting; null when nothing is.</summary>
    internal static string? FindPortError(string text) =>
        Split(text).All(port => StrictText.TryParseInteger(port, out var number) && number is >= 0 and <= LastPort) ? null : $"is {SettingText.Quote(text)}";

    private static string[] Split(string text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries);
}

using System.Net;
using System.Net.Sockets;
using Distributed.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
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
            return address.Scheme is "http" or "https"
                && address.Port is >= 0 and <= LastPort
                && (address.Host.StartsWith('[') || !address.Host.Contains(':', StringComparison.Ordinal));
        }
        catch (FormatException)
        {
            return false;
        }
    }

    /// <summary>What keeps a host from listening as it is set up, one sentence each: asked before it begins, since a host that has begun has work to end.</summary>
    /// <param name="builder">The host, with all its settings.</param>
    public static IReadOnlyList<string> FindErrors(WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var addresses = Of(builder);
        var errors = new List<string>();
        foreach (var address in addresses)
        {
            if (WhyUnavailable(address) is { } reason)
            {
                errors.Add(
                    $"Nothing can listen on {address}: {reason}. End what listens there, or choose another address with --urls or ASPNETCORE_URLS."
                );
            }
        }

        if (MetricsEndpoint.FindError(builder.Configuration, addresses) is { } error)
        {
            errors.Add(error);
        }

        return errors;
    }

    /// <summary>What is wrong with addresses that stand in a setting; null when nothing is.</summary>
    internal static string? FindError(string text) => Split(text).All(IsAddress) ? null : $"is {SettingText.Quote(text)}";

    /// <summary>What is wrong with ports that stand in a setting; null when nothing is.</summary>
    internal static string? FindPortError(string text) =>
        Split(text).All(port => StrictText.TryParseInteger(port, out var number) && number is >= 0 and <= LastPort)
            ? null
            : $"is {SettingText.Quote(text)}";

    /// <summary>Where Kestrel will listen: addresses go before ports.</summary>
    private static BindingAddress[] Of(WebApplicationBuilder builder)
    {
        // Where nothing is set, the default port's address stands in the web host's own settings.
        var urls = Split(builder.WebHost.GetSetting("urls") ?? "");
        var ports = builder.Configuration["urls"] is null
            ? ((string[])["http", "https"])
                .SelectMany(scheme => Split(builder.Configuration[$"{scheme}_ports"] ?? "").Select(port => $"{scheme}://*:{port}"))
                .ToArray()
            : [];
        return [.. (ports is [] ? urls : ports).Select(BindingAddress.Parse)];
    }

    /// <summary>Listens for a moment as Kestrel does: a name other than <c>localhost</c> means every address of the machine.</summary>
    private static string? WhyUnavailable(BindingAddress address)
    {
        if (IPAddress.TryParse(address.Host.Trim('[', ']'), out var one))
        {
            return Try(one, address.Port)?.Message;
        }

        if (!string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase))
        {
            var refusal = Try(IPAddress.IPv6Any, address.Port);
            return (
                refusal is { SocketErrorCode: not SocketError.AddressAlreadyInUse } ? Try(IPAddress.Any, address.Port) : refusal
            )?.Message;
        }

        SocketException?[] refused = [Try(IPAddress.Loopback, address.Port), Try(IPAddress.IPv6Loopback, address.Port)];
        return (
            Array.Find(refused, exception => exception?.SocketErrorCode == SocketError.AddressAlreadyInUse)
            ?? (Array.TrueForAll(refused, exception => exception is not null) ? refused[0] : null)
        )?.Message;
    }

    private static SocketException? Try(IPAddress address, int port)
    {
        try
        {
            using var listener = new TcpListener(address, port);
            if (address.Equals(IPAddress.IPv6Any))
            {
                listener.Server.DualMode = true;
            }

            listener.Start();
            return null;
        }
        catch (SocketException exception)
        {
            return exception;
        }
    }

    private static string[] Split(string text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries);
}

using System.Security.Cryptography;
using System.Text;

namespace Distributed.AdminApi.Tests;

/// <summary>The example of docs/api.md.</summary>
internal static class WebhookExample
{
    internal static bool IsGenuine(string secret, string id, string timestamp, string signatures, string body)
    {
        var key = Convert.FromBase64String(secret["whsec_".Length..]);
        var expected = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}"));
        return long.TryParse(timestamp, out var seconds)
            && Math.Abs(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - seconds) <= 300
            && signatures
                .Split(' ')
                .Any(one =>
                    CryptographicOperations.FixedTimeEquals(
                        Encoding.ASCII.GetBytes(one),
                        Encoding.ASCII.GetBytes($"v1,{Convert.ToBase64String(expected)}")
                    )
                );
    }
}

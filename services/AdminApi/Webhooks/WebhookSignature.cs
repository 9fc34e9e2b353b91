using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Distributed.AdminApi.Webhooks;

/// <summary>Signs deliveries as Standard Webhooks 1.0 says (https://www.standardwebhooks.com): HMAC-SHA256 over id, timestamp and body.</summary>
internal static class WebhookSignature
{
    public const string IdHeader = "webhook-id";
    public const string TimestampHeader = "webhook-timestamp";
    public const string SignatureHeader = "webhook-signature";

    /// <summary>By which scanners of sources recognise a secret.</summary>
    private const string Prefix = "whsec_";

    private const int SecretBytes = 32;

    /// <summary>Makes the secret of a webhook, base64.</summary>
    public static string CreateSecret() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>The secret as its holder gets it.</summary>
    public static string Reveal(string secret) => Prefix + secret;

    /// <summary>The value of the signature's header.</summary>
    /// <param name="secret">The secret, base64.</param>
    /// <param name="id">The delivery, as in its header.</param>
    /// <param name="timestamp">Seconds since 1970, as in the header.</param>
    /// <param name="body">The body.</param>
    public static string Sign(string secret, string id, long timestamp, string body)
    {
        var signed = string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}.{body}");
        return $"v1,{Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(secret), Encoding.UTF8.GetBytes(signed)))}";
    }
}

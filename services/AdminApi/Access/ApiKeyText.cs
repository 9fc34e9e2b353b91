using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Distributed.AdminApi.Access;

/// <summary>
/// A key as its holder writes it: <c>dstk_ID_SECRET</c>. The prefix lets scanners of sources and logs recognise it, the id finds its
/// row, and the secret is 256 random bits. Slow password hashes protect secrets that can be guessed; nobody guesses 256 random
/// bits, however fast the hash is, so SHA-256 serves and a request costs no noticeable time.
/// </summary>
/// <param name="Id">The public part: 64 bits, hexadecimal.</param>
/// <param name="Secret">The secret part: 256 bits, hexadecimal.</param>
internal sealed partial record ApiKeyText(string Id, string Secret)
{
    private const string Prefix = "dstk";

    /// <summary>SHA-256 of the secret, which is what the catalog keeps.</summary>
    public string SecretSha256 => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(Secret)));

    public static ApiKeyText Create() =>
        new(RandomNumberGenerator.GetHexString(16, lowercase: true), RandomNumberGenerator.GetHexString(64, lowercase: true));

    public static bool TryParse(string text, [NotNullWhen(true)] out ApiKeyText? key)
    {
        var match = Form().Match(text);
        key = match.Success ? new ApiKeyText(match.Groups["id"].Value, match.Groups["secret"].Value) : null;
        return match.Success;
    }

    /// <summary>Whether a hash is that of this secret, in a time that does not depend on where they differ.</summary>
    public bool Matches(string secretSha256) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(SecretSha256), Encoding.ASCII.GetBytes(secretSha256));

    /// <summary>The whole key, for its holder alone.</summary>
    public string Reveal() => $"{Prefix}_{Id}_{Secret}";

    /// <summary>Without the secret, so that it is in no log by accident.</summary>
    public override string ToString() => $"{Prefix}_{Id}_…";

    [GeneratedRegex($@"\A{Prefix}_(?<id>[0-9a-f]{{16}})_(?<secret>[0-9a-f]{{64}})\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Form();
}

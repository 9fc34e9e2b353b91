using System.Security.Cryptography;
using System.Text;

namespace Distributed.Artifacts;

/// <summary>Keys by content: equal parts give equal keys, and no two lists of parts the same text.</summary>
public static class ContentKey
{
    /// <summary>SHA-256 over the parts, each with its length before it; 64 hexadecimal digits.</summary>
    public static string Of(params ReadOnlySpan<string> parts)
    {
        var text = new StringBuilder();
        foreach (var part in parts)
        {
            text.Append(Encoding.UTF8.GetByteCount(part)).Append(':').Append(part).Append('\n');
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }
}

using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Distributed.AdminApi.Access;

namespace Distributed.AdminApi.Browser;

/// <summary>
/// Who has signed in at the dashboard: a browser holds a random token in a cookie, and this process the key that it stands for. The key never leaves
/// the process again, and no file has it; after a restart people sign in once more.
/// </summary>
internal sealed class BrowserSessions(TimeProvider time)
{
    /// <summary>The cookie's name.</summary>
    public const string CookieName = "distributed-session";

    /// <summary>A browser that asks for nothing this long is signed out.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromHours(12);

    /// <summary>And every one after this time.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    // By the hash, so that the time a look-up takes says nothing about a token.
    private readonly ConcurrentDictionary<string, Session> _sessions = new(StringComparer.Ordinal);

    /// <summary>Begins a session for a key that was found valid.</summary>
    /// <returns>The token for the cookie.</returns>
    public string Begin(ApiKeyText key)
    {
        foreach (var (hash, session) in _sessions)
        {
            if (HasEnded(session))
            {
                _sessions.TryRemove(hash, out _);
            }
        }

        var token = RandomNumberGenerator.GetHexString(64, lowercase: true);
        _sessions[HashOf(token)] = new Session(key, time.GetUtcNow()) { UsedAt = time.GetUtcNow() };
        return token;
    }

    /// <summary>The key that a token stands for; null where it stands for none, or for none any more.</summary>
    public ApiKeyText? Find(string token)
    {
        if (!_sessions.TryGetValue(HashOf(token), out var session) || HasEnded(session))
        {
            return null;
        }

        session.UsedAt = time.GetUtcNow();
        return session.Key;
    }

    /// <summary>Ends a session, in every tab of its browser.</summary>
    public void End(string token) => _sessions.TryRemove(HashOf(token), out _);

    private static string HashOf(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private bool HasEnded(Session session) => time.GetUtcNow() - session.UsedAt > Idle || time.GetUtcNow() - session.BegunAt > Longest;

    private sealed record Session(ApiKeyText Key, DateTimeOffset BegunAt)
    {
        public DateTimeOffset UsedAt { get; set; }
    }
}

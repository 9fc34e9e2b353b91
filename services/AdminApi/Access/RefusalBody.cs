using System.Text.Json;

namespace Distributed.AdminApi.Access;

/// <summary>Of endpoints that answer in the words of another API: what is said to somebody whose key does not open them.</summary>
/// <param name="Create">Makes the body from status and reason.</param>
/// <param name="Json">How it is written.</param>
internal sealed record RefusalBody(Func<int, string, object> Create, JsonSerializerOptions Json);

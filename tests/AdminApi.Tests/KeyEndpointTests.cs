using System.Net;
using System.Net.Http.Headers;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Distributed.AdminApi.Tests;

/// <summary>Keys as operators see them.</summary>
public sealed class KeyEndpointTests : IAsyncLifetime
{
    private AdminServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await AdminServer.StartAsync(settings: ("Api:Keys", "required"));

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Operators_see_whose_keys_there_are_and_nothing_that_opens_anything()
    {
        var (ada, rita) = (await CreateAsync("ada", ApiRole.Operator), await CreateAsync("rita", ApiRole.Reader));

        using var response = await SendAsync(HttpMethod.Get, "/api/v1/keys", ada);
        var text = await response.Content.ReadAsStringAsync();
        var keys = (await AdminServer.JsonAsync(response)).GetProperty("items").EnumerateArray().ToList();

        Assert.Equal(["ada operator", "rita reader"], keys.Select(key => $"{key.GetProperty("name")} {key.GetProperty("role")}"));
        Assert.Equal(ada.Id, keys[0].GetProperty("id").GetString());
        Assert.Equal(6, keys[0].EnumerateObject().Count());
        Assert.All(
            (ApiKeyText[])[ada, rita],
            key =>
            {
                Assert.DoesNotContain(key.Secret, text, StringComparison.Ordinal);
                Assert.DoesNotContain(key.SecretSha256, text, StringComparison.Ordinal);
            }
        );
        foreach (var (method, path) in new[] { (HttpMethod.Get, "/api/v1/keys"), (HttpMethod.Delete, $"/api/v1/keys/{ada.Id}") })
        {
            using var refused = await SendAsync(method, path, rita);
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        }
    }

    [Fact]
    public async Task A_revoked_key_opens_nothing_and_nobody_revokes_their_own()
    {
        var (ada, rita) = (await CreateAsync("ada", ApiRole.Operator), await CreateAsync("rita", ApiRole.Reader));

        using var revoked = await SendAsync(HttpMethod.Delete, $"/api/v1/keys/{rita.Id}", ada);
        using var afterwards = await SendAsync(HttpMethod.Get, "/api/v1/runs", rita);
        using var again = await SendAsync(HttpMethod.Delete, $"/api/v1/keys/{rita.Id}", ada);
        using var own = await SendAsync(HttpMethod.Delete, $"/api/v1/keys/{ada.Id}", ada);
        using var unknown = await SendAsync(HttpMethod.Delete, "/api/v1/keys/ada", ada);

        Assert.Equal(
            [
                HttpStatusCode.NoContent,
                HttpStatusCode.Unauthorized,
                HttpStatusCode.NotFound,
                HttpStatusCode.Conflict,
                HttpStatusCode.NotFound,
            ],
            [revoked.StatusCode, afterwards.StatusCode, again.StatusCode, own.StatusCode, unknown.StatusCode]
        );
        var entry = await _server.QueryAsync(context => context.AuditLog.SingleAsync(row => row.Action == AuditAction.KeyRevoked));
        Assert.Equal(("ada", "rita"), (entry.Actor, entry.Subject));
    }

    private async Task<ApiKeyText> CreateAsync(string name, ApiRole role) =>
        (await _server.Services.GetRequiredService<ApiKeyStore>().CreateAsync(name, role, AuditActor.Account, CancellationToken.None))!;

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, ApiKeyText key)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key.Reveal());
        return await _server.Client.SendAsync(request);
    }
}

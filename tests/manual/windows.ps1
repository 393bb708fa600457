<#
.SYNOPSIS
Checks on a real Windows what wine cannot show: access lists, consoles, Ctrl-C, the agent service, process trees, and,
with -Url, the system's trusted certificates and proxy.

.DESCRIPTION
Each check prints ok, FAILED or skipped. The exit code is the number of checks that failed.

The programs run with an empty home directory below %TEMP%, which is removed at the end. Your store, settings and logins
are not read. If the ssh-agent service runs, a new key is added to it, and removed at the end. Without -Url, nothing
leaves this machine.

Windows PowerShell 5.1 and PowerShell 7 run it:

    powershell -ExecutionPolicy Bypass -File windows.ps1 -Programs C:\path\to\programs

.PARAMETER Programs
The directory of ringbearer.exe and keyring.exe.

.PARAMETER Unattended
Leaves out the checks that need a person at the keyboard.

.PARAMETER Url
An index URL of yours. `ringbearer doctor` examines it once with your own home directory, settings and login, over the
network.
#>
param(
    [Parameter(Mandatory = $true)][string]$Programs,
    [switch]$Unattended,
    [string]$Url
)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$Programs = (Resolve-Path $Programs).Path
$Ringbearer = Join-Path $Programs 'ringbearer.exe'
$Keyring = Join-Path $Programs 'keyring.exe'
$System32 = Join-Path $env:SystemRoot 'System32'
$OpenSsh = Join-Path $System32 'OpenSSH'
$Place = Join-Path ([IO.Path]::GetTempPath()) ('ringbearer-check-' + [Guid]::NewGuid().ToString('N'))
$UserHome = Join-Path $Place 'home'
$Tools = Join-Path $Place 'tools'
$Key = Join-Path $Place 'key'
$Feed = 'https://pkgs.dev.azure.com/example/_packaging/example/pypi/simple/'
# It looks like a personal access token, and opens nothing.
$Token = 'a1b2c3d4' * 6 + 'a1b2'
# No other program has this address in its command line.
$Marker = '127.0.0.77'
$script:Failures = 0

# -- running programs

function Get-Variables([hashtable]$More = @{}) {
    $found = @{
        PATH = "$Tools;$Programs;$System32;$env:SystemRoot;$OpenSsh"
        PATHEXT = '.COM;.EXE;.BAT;.CMD'
        USERPROFILE = $UserHome
        APPDATA = "$UserHome\AppData\Roaming"
        LOCALAPPDATA = "$UserHome\AppData\Local"
        TEMP = $Place
        TMP = $Place
        # The metadata services of clouds are not asked.
        AZURE_POD_IDENTITY_AUTHORITY_HOST = 'http://127.0.0.1:9'
        AWS_EC2_METADATA_DISABLED = 'true'
        GCE_METADATA_HOST = '127.0.0.1:9'
    }
    foreach ($name in 'SystemRoot', 'SystemDrive', 'ComSpec', 'ProgramData', 'USERNAME', 'USERDOMAIN') {
        $found[$name] = [Environment]::GetEnvironmentVariable($name)
    }
    foreach ($name in $More.Keys) { $found[$name] = $More[$name] }
    $found
}

function Join-Arguments([string[]]$Words) {
    ($Words | ForEach-Object { if ($_ -match '[\s&|<>^()]' -or $_ -eq '') { '"' + $_ + '"' } else { $_ } }) -join ' '
}

# The program gets the text on its standard input, which ends there.
function Start-Program([string]$File, [string[]]$Words, [hashtable]$Variables = @{}, [string]$Text = '') {
    $info = New-Object Diagnostics.ProcessStartInfo
    $info.FileName = $File
    $info.Arguments = Join-Arguments $Words
    $info.WorkingDirectory = $Place
    $info.UseShellExecute = $false
    $info.RedirectStandardInput = $true
    $info.RedirectStandardOutput = $true
    $info.RedirectStandardError = $true
    $info.EnvironmentVariables.Clear()
    $given = Get-Variables $Variables
    foreach ($name in $given.Keys) { $info.EnvironmentVariables[$name] = $given[$name] }
    $process = [Diagnostics.Process]::Start($info)
    # Not by the writer of the process, which may begin with a byte order mark.
    $bytes = [Text.Encoding]::UTF8.GetBytes($Text)
    $stream = $process.StandardInput.BaseStream
    if ($bytes.Length) { $stream.Write($bytes, 0, $bytes.Length) }
    $stream.Close()
    @{
        Process = $process
        Out = $process.StandardOutput.ReadToEndAsync()
        Err = $process.StandardError.ReadToEndAsync()
    }
}

function Wait-Program($Started, [int]$Seconds = 60) {
    if (-not $Started.Process.WaitForExit(1000 * $Seconds)) {
        $Started.Process.Kill()
        throw "it did not end within $Seconds seconds"
    }
    if (-not ($Started.Out.Wait(5000) -and $Started.Err.Wait(5000))) { throw 'a program that it started still runs' }
    @{ Code = $Started.Process.ExitCode; Out = $Started.Out.Result; Err = $Started.Err.Result }
}

function Invoke-Program([string]$File, [string[]]$Words, [hashtable]$Variables = @{}, [string]$Text = '') {
    Wait-Program (Start-Program $File $Words $Variables $Text)
}

# Runs a program in a new console window, and waits for its end. Returns the seconds.
function Invoke-InWindow([string]$File, [string[]]$Words, [hashtable]$Variables = @{}) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    # A title that is in quotation marks: else `start` takes the program for it.
    $line = '/d /c start "ringbearer" /wait ' + (Join-Arguments (@($File) + $Words))
    $info = New-Object Diagnostics.ProcessStartInfo (Join-Path $System32 'cmd.exe'), $line
    $info.UseShellExecute = $false
    $info.WorkingDirectory = $Place
    $info.EnvironmentVariables.Clear()
    $given = Get-Variables $Variables
    foreach ($name in $given.Keys) { $info.EnvironmentVariables[$name] = $given[$name] }
    $process = [Diagnostics.Process]::Start($info)
    $process.WaitForExit()
    $watch.Elapsed.TotalSeconds
}

# -- what a check says

function Test-That([string]$Name, [scriptblock]$Block) {
    try {
        & $Block | Out-Null
        Write-Host "ok       $Name" -ForegroundColor Green
    } catch {
        $script:Failures++
        Write-Host "FAILED   $Name" -ForegroundColor Red
        Write-Host "         $($_.Exception.Message)"
    }
}

function Skip-That([string]$Name, [string]$Why) { Write-Host "skipped  ${Name}: $Why" -ForegroundColor Yellow }

function Assert-That([bool]$Holds, [string]$Otherwise) { if (-not $Holds) { throw $Otherwise } }

function Assert-Ended($Ended, [int]$Code) {
    Assert-That ($Ended.Code -eq $Code) "exit code $($Ended.Code) instead of $Code; $($Ended.Err)"
}

function Assert-OwnerOnly([string]$Path) {
    $list = Get-Acl -LiteralPath $Path
    $me = [Security.Principal.WindowsIdentity]::GetCurrent().User.Value
    $rules = $list.GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])
    $others = @($rules | ForEach-Object { $_.IdentityReference.Value } | Where-Object { $_ -ne $me })
    Assert-That $list.AreAccessRulesProtected "$Path inherits the access of its directory"
    Assert-That ($others.Count -eq 0) "$Path is open to $others"
}

# The programs that checks left running.
function Get-Left { Get-CimInstance Win32_Process | Where-Object { $_.CommandLine -like "*$Marker*" } }

function Write-Tool([string]$Name, [string[]]$Lines) {
    Set-Content -LiteralPath (Join-Path $Tools $Name) -Value (@('@echo off') + $Lines) -Encoding Ascii
}

# Listens on loopback, for HTTPS_PROXY.
function New-Proxy {
    $made = New-Object Net.Sockets.TcpListener ([Net.IPAddress]::Loopback), 0
    $made.Start()
    $made
}

function Get-Address($Proxy) { "http://127.0.0.1:$($Proxy.LocalEndpoint.Port)" }

# -- the checks

function Test-Programs {
    Test-That 'both programs start and name the platform' {
        $ended = Invoke-Program $Ringbearer @('--version')
        Assert-Ended $ended 0
        Assert-That ($ended.Out -like '*windows*') $ended.Out
        Assert-Ended (Invoke-Program $Keyring @('--help')) 0
    }
    Test-That 'a service of nobody is a silent miss' {
        $ended = Invoke-Program $Keyring @('get', 'https://index.example/simple/', 'frodo')
        Assert-Ended $ended 1
        Assert-That (($ended.Out + $ended.Err) -eq '') ($ended.Out + $ended.Err)
    }
    Test-That 'a token file belongs to its owner alone' {
        $file = Join-Path $Place 'token'
        $variables = @{ ARTIFACTS_KEYRING_NOFUSS_TOKEN = $Token }
        Assert-Ended (Invoke-Program $Ringbearer @('token', $Feed, '--output-file', $file) $variables) 0
        Assert-That ([IO.File]::ReadAllText($file) -eq $Token) 'it has other content'
        Assert-OwnerOnly $file
    }
    Test-That 'PowerShell completes the commands' {
        $text = (Invoke-Program $Ringbearer @('completions', 'powershell')).Out
        $found = & ([scriptblock]::Create($text + "`n" + @'
            [Management.Automation.CommandCompletion]::CompleteInput('ringbearer sto', 14, $null).CompletionMatches |
                ForEach-Object { $_.CompletionText }
'@))
        Assert-That (@($found) -contains 'store') "it offers: $found"
    }
}

function Test-Children {
    $variables = @{ ARTIFACTS_KEYRING_NOFUSS_TOKEN = $Token }
    Test-That 'exec passes a 32-bit exit code through' {
        $cmd = Join-Path $System32 'cmd.exe'
        Assert-Ended (Invoke-Program $Ringbearer @('exec', $Feed, '--', $cmd, '/c', 'exit', '70000') $variables) 70000
    }
    Test-That 'a percent sign reaches a batch file unchanged' {
        Write-Tool 'tool.cmd' @('echo [%~1]')
        $ended = Invoke-Program $Ringbearer @('exec', $Feed, '--', 'tool', '%PATH%') $variables
        Assert-Ended $ended 0
        Assert-That ($ended.Out.Trim() -eq '[%PATH%]') $ended.Out
    }
    Test-That 'what chainctl.cmd started ends at the limit too' {
        Write-Tool 'chainctl.cmd' @("ping -n 600 $Marker")
        $words = @('get', 'https://libraries.cgr.dev/python/simple/', '_token')
        # Nobody listens there: chainctl is asked before any host.
        $more = @{ RINGBEARER_TIMEOUT = '5'; HTTPS_PROXY = 'http://127.0.0.1:9' }
        $ended = Wait-Program (Start-Program $Ringbearer $words $more) 30
        Assert-Ended $ended 1
        Assert-That ($ended.Err -like '*did not end in time*') $ended.Err
        Start-Sleep 1
        Assert-That (@(Get-Left).Count -eq 0) 'ping.exe is still running'
    }
}

function Test-Proxies {
    Test-That 'the proxy of HTTPS_PROXY is asked, and named when it refuses' {
        $proxy = New-Proxy
        try {
            $accepted = $proxy.AcceptTcpClientAsync()
            $more = @{ HTTPS_PROXY = (Get-Address $proxy); ARTIFACTS_KEYRING_NOFUSS_RETRIES = '1' }
            $started = Start-Program $Ringbearer @('get', $Feed, 'VssSessionToken') $more
            Assert-That $accepted.Wait(20000) 'nobody connected to the proxy'
            $stream = $accepted.Result.GetStream()
            $line = (New-Object IO.StreamReader $stream).ReadLine()
            $answer = "HTTP/1.1 407 Proxy Authentication Required`r`nContent-Length: 0`r`n`r`n"
            $bytes = [Text.Encoding]::ASCII.GetBytes($answer)
            $stream.Write($bytes, 0, $bytes.Length)
            $accepted.Result.Close()
            $ended = Wait-Program $started
            Assert-That ($line -eq 'CONNECT pkgs.dev.azure.com:443 HTTP/1.1') "it asked: $line"
            Assert-That ($ended.Err -like '*HTTPS_PROXY*') $ended.Err
        } finally {
            $proxy.Stop()
        }
    }
    $settings = Get-ItemProperty 'HKCU:\Software\Microsoft\Windows\CurrentVersion\Internet Settings'
    $isOn = $settings.PSObject.Properties['ProxyEnable'] -and $settings.ProxyEnable
    $name = "the proxy of the system's settings is used"
    if (-not $isOn) {
        Skip-That $name 'none is set; set one (Settings, Network, Proxy) and run this again with -Url'
    } elseif (-not $Url) {
        Skip-That $name "run this again with -Url; your proxy is $($settings.ProxyServer)"
    }
}

function Test-Store {
    $store = Join-Path $UserHome '.local\share\ssh-agent-keyring\store.json'
    $service = Get-Service ssh-agent -ErrorAction SilentlyContinue
    if (-not $service -or $service.Status -ne 'Running') {
        Test-That 'without the agent service, a message says how to start it' {
            $ended = Invoke-Program $Ringbearer @('store', 'init')
            Assert-Ended $ended 3
            Assert-That ($ended.Err -like '*Start-Service ssh-agent*') $ended.Err
        }
        Skip-That 'the store' 'the ssh-agent service does not run (Set-Service, then Start-Service ssh-agent, as administrator)'
        return
    }
    # An empty passphrase: Windows PowerShell drops an empty argument, so ssh-keygen is run as all programs here.
    Assert-Ended (Invoke-Program (Join-Path $OpenSsh 'ssh-keygen.exe') @('-q', '-t', 'ed25519', '-N', '', '-f', $Key)) 0
    Assert-Ended (Invoke-Program (Join-Path $OpenSsh 'ssh-add.exe') @('-q', $Key)) 0
    try {
        Test-That 'the store is made with a key of the agent service' {
            Assert-Ended (Invoke-Program $Ringbearer @('store', 'init', '--key', "$Key.pub")) 0
            Assert-OwnerOnly $store
            Assert-OwnerOnly "$store.lock"
        }
        Test-That 'a password is stored and read, and the file stays private' {
            Assert-Ended (Invoke-Program $Keyring @('set', 'check', 'alice') @{} "s3cr3t`n") 0
            $ended = Invoke-Program $Keyring @('get', 'check', 'alice')
            Assert-That ($ended.Out -eq "s3cr3t`n") "it read: $($ended.Out)"
            Assert-OwnerOnly $store
        }
        Test-That 'a reader does not stop a writer' {
            foreach ($share in 'ReadWrite, Delete', 'ReadWrite') {
                $reader = [IO.File]::Open($store, 'Open', 'Read', $share)
                $started = Start-Program $Keyring @('set', 'check', 'bob') @{} "$share`n"
                # One that does not share deletion is waited for, up to ten seconds.
                Start-Sleep 2
                $reader.Close()
                Assert-Ended (Wait-Program $started) 0
                Assert-That ((Invoke-Program $Keyring @('get', 'check', 'bob')).Out -eq "$share`n") 'it was not written'
            }
        }
        Test-That 'eight programs that set at once lose nothing' {
            $all = 1..8 | ForEach-Object { Start-Program $Keyring @('set', 'many', "user-$_") @{} "secret-$_`n" }
            foreach ($one in $all) { Assert-Ended (Wait-Program $one) 0 }
            foreach ($number in 1..8) {
                $ended = Invoke-Program $Keyring @('get', 'many', "user-$number")
                Assert-That ($ended.Out -eq "secret-$number`n") "user-${number}: $($ended.Out)$($ended.Err)"
            }
        }
        Test-That 'rotate keeps every record, and an export is private' {
            Assert-Ended (Invoke-Program $Ringbearer @('store', 'rotate')) 0
            $file = Join-Path $Place 'export.json'
            Assert-Ended (Invoke-Program $Ringbearer @('store', 'export', $file)) 0
            Assert-OwnerOnly $file
            Assert-That (@((Get-Content -Raw $file | ConvertFrom-Json).records).Count -eq 10) 'records are missing'
        }
        if ($Unattended) { return }
        Write-Host ''
        Write-Host 'A window will open and ask for a password. Type   open sesame   and press Enter.'
        [void](Read-Host 'Press Enter here first')
        Test-That 'the password typed in a console is stored' {
            [void](Invoke-InWindow $Ringbearer @('set', 'check', 'console'))
            $ended = Invoke-Program $Ringbearer @('get', 'check', 'console')
            Assert-That ($ended.Out -eq "open sesame`n") "it read: $($ended.Out)$($ended.Err)"
        }
        Test-That 'the console did not show it' {
            Assert-That ((Read-Host 'Did the window show the letters that you typed? (y/n)') -eq 'n') 'it was shown'
        }
    } finally {
        [void](Invoke-Program (Join-Path $OpenSsh 'ssh-add.exe') @('-q', '-d', $Key))
    }
}

function Test-Interruption {
    if ($Unattended) {
        Skip-That 'Ctrl-C' '-Unattended'
        return
    }
    Write-Host ''
    Write-Host 'Two windows will open, one after the other. In each, wait two seconds and press Ctrl-C.'
    [void](Read-Host 'Press Enter here first')
    # A proxy that accepts connections and never answers.
    $proxy = New-Proxy
    try {
        Test-That 'Ctrl-C ends the wait for a silent host' {
            $seconds = Invoke-InWindow $Ringbearer @('get', $Feed, 'VssSessionToken') @{ HTTPS_PROXY = (Get-Address $proxy) }
            Assert-That ($seconds -gt 1) 'it ended by itself'
            Assert-That ($seconds -lt 60) "it ended after $seconds seconds"
        }
    } finally {
        $proxy.Stop()
    }
    Test-That 'Ctrl-C ends exec and its command' {
        $words = @('exec', $Feed, '--', (Join-Path $System32 'ping.exe'), '-n', '90', $Marker)
        $seconds = Invoke-InWindow $Ringbearer $words @{ ARTIFACTS_KEYRING_NOFUSS_TOKEN = $Token }
        Assert-That ($seconds -lt 60) "it ended after $seconds seconds"
        Assert-That (@(Get-Left).Count -eq 0) 'ping.exe is still running'
    }
}

# The only check that leaves this machine. It runs as you would run it, with your own settings.
function Test-Network {
    if (-not $Url) {
        Skip-That "the system's trusted certificates" 'run this again with -Url and an index URL of yours'
        return
    }
    Test-That "the index is reached with the system's certificates and proxy" {
        $shown = & $Ringbearer doctor $Url | Out-String
        Write-Host $shown
        Assert-That ($shown -notmatch 'certificate|cannot be reached') 'see above'
    }
}

New-Item -ItemType Directory -Path "$UserHome\AppData\Roaming", "$UserHome\AppData\Local", $Tools | Out-Null
try {
    Test-Programs
    Test-Children
    Test-Proxies
    Test-Store
    Test-Interruption
    Test-Network
} finally {
    Get-Left | ForEach-Object { Stop-Process -Id $_.ProcessId -Force -ErrorAction SilentlyContinue }
    Remove-Item -LiteralPath $Place -Recurse -Force -ErrorAction SilentlyContinue
}
Write-Host ''
Write-Host $(if ($script:Failures) { "$script:Failures FAILED" } else { 'all ok' })
exit $script:Failures

"""The scripts that make shells ask us for candidates: data, one text for each shell.

``@NAME@`` is the name of the program, ``@FUNCTION@`` the same as a part of names of functions, and
``@REQUEST@`` the hidden command that answers (see ``completing``).
"""

from __future__ import annotations

_BASH = r"""# Completion of @NAME@ for Bash 4.4 and later
_@FUNCTION@_complete() {
    local before=${COMP_LINE:0:COMP_POINT} line value text directive=0 width=0 index
    local -a words=() values=() texts=()
    # Bash's own COMP_WORDS are cut at = and :, ours are not.
    read -ra words <<< "$before"
    [[ $before == *[[:space:]] ]] && words+=("")
    while IFS= read -r line; do
        if [[ $line =~ ^:[0-9]+$ ]]; then
            directive=${line#:}
            continue
        fi
        value=${line%%$'\t'*}
        text=""
        [[ $line == *$'\t'* ]] && text=${line#*$'\t'}
        values+=("$value")
        texts+=("$text")
        (( ${#value} > width )) && width=${#value}
    done < <("${words[0]/#\~/$HOME}" @REQUEST@ "${words[@]:1}" 2>/dev/null)
    COMPREPLY=("${values[@]}")
    # 37 and 42 insert candidates as they are; all else only lists them when there are several.
    if (( ${#values[@]} > 1 && COMP_TYPE != 37 && COMP_TYPE != 42 )); then
        for index in "${!values[@]}"; do
            [[ -z ${texts[index]} ]] && continue
            printf -v "COMPREPLY[index]" '%-*s  (%s)' "$width" "${values[index]}" "${texts[index]}"
        done
    fi
    (( directive & 2 )) && compopt -o nospace 2>/dev/null
    (( directive & 4 )) || compopt -o default 2>/dev/null
    return 0
}
complete -o nosort -F _@FUNCTION@_complete @NAME@
"""

_ZSH = r"""#compdef @NAME@
# Completion of @NAME@ for zsh
_@FUNCTION@() {
    local program=${(Q)words[1]} line value text directive=0
    local -a candidates options
    program=${program/#\~\//$HOME/}
    while IFS= read -r line; do
        if [[ $line =~ '^:[0-9]+$' ]]; then
            directive=${line#:}
            continue
        fi
        value=${line%%$'\t'*}
        text=""
        [[ $line == *$'\t'* ]] && text=${line#*$'\t'}
        value=${value//:/\\:}
        candidates+=("$value${text:+:$text}")
    done < <("$program" @REQUEST@ "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    [[ $words[CURRENT] == --*=* ]] && compset -P '*='
    (( directive & 2 )) && options=(-S '')
    if (( ${#candidates} )); then
        _describe -V 'candidates' candidates "${options[@]}"
    elif (( ! (directive & 4) )); then
        _files
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _@FUNCTION@ "$@"
else
    compdef _@FUNCTION@ @NAME@
fi
"""

_FISH = r"""# Completion of @NAME@ for fish
function __@FUNCTION@_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l flag (string match -r -- '^--[^=]*=' "$current")
    set -l directive 0
    set -l candidates
    set -l program (string replace -r -- '^~/' "$HOME/" $words[1])
    for line in (command $program @REQUEST@ $words[2..-1] "$current" 2>/dev/null)
        if string match -qr '^:\d+$' -- $line
            set directive (string sub -s 2 -- $line)
        else
            set -a candidates "$flag$line"
        end
    end
    if set -q candidates[1]
        printf '%s\n' $candidates
    else if test (math "$directive % 8 - $directive % 4") -eq 0
        __fish_complete_path "$current"
    end
end
complete -c @NAME@ -f -k -a '(__@FUNCTION@_complete)'
"""

_POWERSHELL = r"""# Completion of @NAME@ for PowerShell
Register-ArgumentCompleter -Native -CommandName '@NAME@' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object { $_.ToString() })
    $program = $words[0]
    $words = @($words | Select-Object -Skip 1)
    if (-not $wordToComplete) {
        # Before 7.3 an empty argument of a program is lost unless it is quoted twice.
        $words += if ($PSVersionTable.PSVersion -lt [version]'7.3') { '""' } else { '' }
    }
    $flag = if ($wordToComplete -match '^(--[^=]*=)') { $Matches[1] } else { '' }
    & $program @REQUEST@ @words 2>$null | Where-Object { $_ -notmatch '^:\d+$' } | ForEach-Object {
        $value, $text = $_ -split "`t", 2
        if (-not $text) { $text = $value }
        [System.Management.Automation.CompletionResult]::new(
            "$flag$value", $value, 'ParameterValue', $text)
    }
}
"""

SCRIPTS = {"bash": _BASH, "fish": _FISH, "powershell": _POWERSHELL, "zsh": _ZSH}

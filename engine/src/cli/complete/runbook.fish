# Completion of runbook for fish: put this as runbook.fish into ~/.config/fish/completions/.
function __runbook_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (runbook __complete fish -- $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$current"
        else
            printf '%s\n' $line
        end
    end
end
complete -c runbook -f -a '(__runbook_complete)'

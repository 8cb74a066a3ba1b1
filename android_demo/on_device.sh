#!/usr/bin/env bash
# What a real phone makes of the app: bash on_device.sh APK. Needs adb and one device; the app's data are removed first.
set -euo pipefail
apk=${1:?usage: bash on_device.sh build/pocketrec-demo-lite.apk}
app=dev.pocketrec.demo

look() { # read the screen
    adb shell uiautomator dump /sdcard/screen.xml >/dev/null
    adb shell cat /sdcard/screen.xml
}

texts() { # what it says
    look | grep -o ' text="[^"]\+"' | sed 's/^ text="/    /; s/"$//'
}

touch_view() { # the view of this id
    local box
    box=$(look | grep -o "resource-id=\"$app:id/$1\"[^>]*" | sed 's/.*bounds="\[\([0-9]*\),\([0-9]*\)\]\[\([0-9]*\),\([0-9]*\)\]".*/\1 \2 \3 \4/')
    # shellcheck disable=SC2086  # four numbers
    set -- $box
    adb shell input tap $((($1 + $3) / 2)) $((($2 + $4) / 2))
}

adb install -r "$apk"
adb shell pm clear $app
echo "device: $(adb shell getprop ro.product.model), Android $(adb shell getprop ro.build.version.release)," \
    "pages of $(adb shell getconf PAGE_SIZE) bytes"
echo "cold starts, in ms:"
for _ in 1 2 3 4 5; do
    adb shell am force-stop $app
    adb shell am start -W -n $app/.MainActivity | sed -n 's/^TotalTime: /    /p'
    sleep 2
done
echo "first screen:"
texts
echo "a search, a letter at a time:"
touch_view query
for letter in r o b o t s; do adb shell input text $letter; done
sleep 1
texts
echo "memory:"
adb shell dumpsys meminfo $app | grep -m 1 TOTAL
echo "diagnostics:"
touch_view diagnostics
sleep 1
texts
if adb logcat -d -t 500 | grep -A 20 'FATAL EXCEPTION'; then
    echo "the app crashed" >&2
    exit 1
fi
echo "no crash"
